"""Sends lines and prints messages, over the library websockets: lines.py URL SUBPROTOCOL"""

import sys
import threading

from websockets.sync.client import connect

url, protocol = sys.argv[1:]
with connect(url, subprotocols=[protocol]) as socket:
    assert socket.subprotocol == protocol, socket.subprotocol

    def send_lines():
        for line in sys.stdin:
            socket.send(line.rstrip("\n"))
        socket.close()

    threading.Thread(target=send_lines, daemon=True).start()
    for message in socket:
        print(message if isinstance(message, str) else "binary", flush=True)
