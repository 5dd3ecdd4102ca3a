// The chat on gorilla/websocket, after its chat example: a hub that owns the set of clients, and for each client one
// goroutine that reads and one that writes. Three things differ from the example. It never puts two messages into one
// frame. It uses PreparedMessage, the package's own way to say one thing to many. And a client's messages wait in a
// slice, not in a channel with room for 256: in a storm the hub is faster than the writers, overruns such a channel and
// ends connections that are not slow at all.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

const (
	messageMax = 16 << 20
	unsentMax  = 1 << 16 // messages
)

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}

type client struct {
	hub  *hub
	conn *websocket.Conn
	send *queue
}

type queue struct {
	mu       sync.Mutex
	changed  *sync.Cond
	messages []*websocket.PreparedMessage
	closed   bool
}

func newQueue() *queue {
	q := &queue{}
	q.changed = sync.NewCond(&q.mu)
	return q
}

func (q *queue) push(message *websocket.PreparedMessage) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) >= unsentMax {
		return false
	}
	q.messages = append(q.messages, message)
	q.changed.Signal()
	return true
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Signal()
}

// takeAll waits for messages; there are none only when the queue is closed.
func (q *queue) takeAll() []*websocket.PreparedMessage {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.messages) == 0 && !q.closed {
		q.changed.Wait()
	}
	messages := q.messages
	q.messages = nil
	return messages
}

type broadcast struct {
	from    *client
	message *websocket.PreparedMessage
}

type hub struct {
	clients    map[*client]bool
	register   chan *client
	unregister chan *client
	broadcast  chan broadcast
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			h.remove(c)
		case b := <-h.broadcast:
			for c := range h.clients {
				// Who is too slow goes, as in the example.
				if c != b.from && !c.send.push(b.message) {
					h.remove(c)
				}
			}
		}
	}
}

func (h *hub) remove(c *client) {
	if h.clients[c] {
		delete(h.clients, c)
		c.send.close()
	}
}

func (c *client) readPump() {
	defer c.conn.Close()
	_, name, err := c.conn.ReadMessage()
	if err != nil {
		c.send.close()
		return
	}
	c.send.push(prepare("hello " + string(name)))
	c.hub.register <- c
	defer func() { c.hub.unregister <- c }()
	for {
		_, message, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		c.hub.broadcast <- broadcast{c, prepare(string(name) + ": " + string(message))}
	}
}

func (c *client) writePump() {
	defer c.conn.Close()
	for messages := c.send.takeAll(); len(messages) > 0; messages = c.send.takeAll() {
		for _, message := range messages {
			if c.conn.WritePreparedMessage(message) != nil {
				return
			}
		}
	}
	c.conn.WriteMessage(websocket.CloseMessage, []byte{})
}

func prepare(text string) *websocket.PreparedMessage {
	message, err := websocket.NewPreparedMessage(websocket.TextMessage, []byte(text))
	if err != nil {
		log.Fatal(err)
	}
	return message
}

func echo(conn *websocket.Conn) {
	defer conn.Close()
	for {
		messageType, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(messageType, message) != nil {
			return
		}
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address and port")
	isEcho := flag.Bool("echo", false, "send every message back")
	flag.String("token", "", "ignored")
	flag.Parse()

	h := &hub{make(map[*client]bool), make(chan *client), make(chan *client), make(chan broadcast)}
	go h.run()
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		conn.SetReadLimit(messageMax)
		if *isEcho {
			go echo(conn)
			return
		}
		c := &client{h, conn, newQueue()}
		go c.writePump()
		go c.readPump()
	})
	// net turns TCP_NODELAY on by itself.
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
