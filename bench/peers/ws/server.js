// The chat on node's ws, after the broadcast example of its README. ws itself turns compression off and TCP_NODELAY on.
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';

const { values: options } = parseArgs({
  options: {
    listen: { type: 'string', default: '127.0.0.1:0' },
    echo: { type: 'boolean', default: false },
    token: { type: 'string' },
  },
});
const [host, port] = options.listen.split(':');

const wss = new WebSocketServer({
  host,
  port: Number(port),
  path: '/ws',
  maxPayload: 16 * 1024 * 1024,
  backlog: 4096, // For thousands who come at once; node's default is 511.
});

function chat(ws) {
  let name;
  ws.on('message', (data) => {
    if (name === undefined) {
      name = data.toString();
      ws.named = true;
      ws.send(`hello ${name}`);
      return;
    }
    const message = `${name}: ${data}`;
    for (const client of wss.clients) {
      if (client !== ws && client.named && client.readyState === WebSocket.OPEN) {
        client.send(message);
      }
    }
  });
}

function echo(ws) {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
}

wss.on('connection', (ws) => {
  ws.on('error', () => {});
  (options.echo ? echo : chat)(ws);
});

wss.on('listening', () => {
  const { address, port } = wss.address();
  console.log(`listening on ${address}:${port}`);
});
