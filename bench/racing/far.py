"""A port that leads to another one as if that were far away: each request waits, and no connection gives more than a certain rate.

    far.py LISTEN-PORT PORT DELAY-MS BYTES-A-SECOND

So it is with registries that keep layers in object storage. The kernel paces answers (SO_MAX_PACING_RATE, with which TCP keeps time
by itself) and moves the bytes (splice), so that the proxy costs the builder little.
"""
import os
import socket
import sys
import threading
import time

SO_MAX_PACING_RATE = 47
PIECE = 1 << 16


def move(source, target, delay):
    """Until the source ends."""
    out, into = os.pipe()
    try:
        while count := os.splice(source.fileno(), into, PIECE):
            time.sleep(delay)
            while count:
                count -= os.splice(out, target.fileno(), count)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one side is gone, and the other one is to know
        for end in (source, target):
            end.close()
    finally:
        os.close(out)
        os.close(into)


def serve(listener, port, delay, rate):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rate:
            client.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        threading.Thread(target=move, args=(client, server, delay), daemon=True).start()
        threading.Thread(target=move, args=(server, client, 0), daemon=True).start()


if __name__ == "__main__":
    listen, upstream, milliseconds, bytes_a_second = map(int, sys.argv[1:])
    serve(socket.create_server(("127.0.0.1", listen), backlog=64), upstream, milliseconds / 1000, bytes_a_second)
