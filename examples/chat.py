"""A chat client that loses nothing: when its connection breaks it comes back, gets what it missed, and says again what was
not acknowledged. Lines of the standard input are said.

    pip install websockets && python chat.py ws://127.0.0.1:8080/ws yuan [TOKEN]
"""

import asyncio
import json
import os
import random
import secrets
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

NOT_AGAIN = {1002, 1003, 1007, 1009, 4401, 4403, 4409}


class Chat:
    def __init__(self, url, name, token=None):
        self.url, self.name = url, name
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.socket = self.epoch = self.session = None
        self.seen = 0  # the newest sequence that we know of
        self.waiting = {}  # what has been said and not acknowledged: id -> object
        self.prefix = secrets.token_hex(8)  # ids must be new, also when this program starts again
        self.said = 0
        self.ended = False  # the input has
        self.failures = 0

    async def run(self):
        while not (self.ended and not self.waiting):
            try:
                # The library's keepalive notices when the server is gone without a word.
                async with connect(
                    self.url, subprotocols=["hollerd.json"], additional_headers=self.headers, close_timeout=2
                ) as socket:
                    await self.converse(socket)
                    return
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                if code in NOT_AGAIN:
                    stop(f"closed: {code} {closed.rcvd.reason}")
            except InvalidStatus as refused:
                code = refused.response.status_code
                if code in (401, 403, 404):
                    stop(f"refused: {refused.response.body.decode().strip()}")
            except (OSError, EOFError) as problem:
                code = problem
            finally:
                self.socket = None
            # Half a second, doubled each time, and not the same for all who were thrown out together.
            pause = min(30, 0.5 * 2**self.failures) * random.uniform(0.5, 1)
            self.failures += 1
            print(f"* not connected ({code}), again in {pause:.1f} s", flush=True)
            await asyncio.sleep(pause)

    async def converse(self, socket):
        if self.epoch:
            first = {"type": "resume", "name": self.name, "epoch": self.epoch, "last": self.seen, "session": self.session}
        else:
            first = {"type": "name", "name": self.name, "history": 20}
        await socket.send(json.dumps(first))
        async for message in socket:
            await self.hear(json.loads(message), socket)
            if self.ended and not self.waiting:
                return

    async def hear(self, message, socket):
        match message:
            case {"type": "hello"}:
                self.failures = 0
                self.epoch, self.session = message["epoch"], message["session"]
                self.seen = message["from"] - 1  # from here on it comes without a gap
                self.socket = socket
                print(f"* hello {message['name']}, {message['users']} here", flush=True)
                for say in list(self.waiting.values()):  # the server knows what it has heard before
                    await socket.send(json.dumps(say))
            case {"type": "resumed", "whole": False}:
                print("* some messages are missing", flush=True)
            case {"type": "message", "sequence": sequence, "from": sender, "text": text}:
                self.seen = sequence
                print(f"{sender}: {text}", flush=True)
            case {"type": "direct", "from": sender, "text": text}:
                print(f"{sender} (private): {text}", flush=True)
            case {"type": "ack", "id": own, "sequence": sequence}:
                self.seen = max(self.seen, sequence)
                self.waiting.pop(own, None)
                print(f"* said as {sequence}", flush=True)
            case {"type": "error", "code": code, "text": text}:
                self.waiting.pop(message.get("id"), None)
                if code.startswith("name_") or code == "bad_name":
                    stop(text)
                print(f"* error: {text}", flush=True)

    async def say(self, text):
        self.said += 1
        own = f"{self.prefix}-{self.said}"
        self.waiting[own] = {"type": "say", "text": text, "id": own}
        if self.socket:
            try:
                await self.socket.send(json.dumps(self.waiting[own]))
            except ConnectionClosed:
                pass  # it is said when we are back

    async def read_input(self):
        while line := await asyncio.to_thread(sys.stdin.readline):
            await self.say(line.rstrip("\n"))
        self.ended = True
        if self.socket and not self.waiting:
            await self.socket.close()


def stop(why):
    print(why, file=sys.stderr, flush=True)
    os._exit(1)  # sys.exit would wait for the thread that waits for input


async def main():
    chat = Chat(*sys.argv[1:])
    reading = asyncio.create_task(chat.read_input())
    await chat.run()
    reading.cancel()


asyncio.run(main())
