// Sends lines and prints messages, over the library ws: node lines.mjs URL SUBPROTOCOL
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [url, protocol] = process.argv.slice(2);
const socket = new WebSocket(url, [protocol]);
socket.on("open", () => {
  if (socket.protocol !== protocol) throw new Error(`the server speaks ${socket.protocol}`);
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => socket.send(line));
  input.on("close", () => socket.close(1000));
});
socket.on("message", (data, isBinary) => console.log(isBinary ? "binary" : String(data)));
socket.on("close", (code) => process.exit(code === 1000 ? 0 : 1));
