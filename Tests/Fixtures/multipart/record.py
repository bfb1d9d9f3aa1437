"""Records requests that others' programs write as multipart/form-data, whole: head and body.

Run in this folder: python3 record.py. Needs curl, node 18 or later, and requests.
"""

import socket
import subprocess
import threading

import requests

# Every byte, line ends, and what almost is a boundary of each of the writers.
VIDEO = bytes(range(256)) + b"\r\n--\r\n-\r\r\n--------------------------\r\n------formdata-undici-0\r\n--" + b"\n" * 3 + b"\r"
FIELDS = [("prompts", "mine"), ("classes", "walking,späte Läufe"), ("none", "a tree"), ("none", "a \"car\"\r\nin the rain"), ("top", "")]
FILE_NAME = "clip \"ä\" 1.mp4"


def record(name, send):
    listener = socket.create_server(("127.0.0.1", 0))
    received = b""

    def serve():
        nonlocal received
        client, _ = listener.accept()
        client.settimeout(10)
        while True:
            received += client.recv(1 << 16)
            head, separator, body = received.partition(b"\r\n\r\n")
            lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if separator and lengths and len(body) >= int(lengths[0].split(b":")[1]):
                break
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        client.close()

    server = threading.Thread(target=serve)
    server.start()
    send(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/predict")
    server.join()
    listener.close()
    with open(f"{name}.http", "wb") as file:
        file.write(received)


def curl(url):
    fields = [part for name, value in FIELDS for part in ("--form-string", f"{name}={value}")]
    quoted = FILE_NAME.replace('"', '\\"')
    subprocess.run(["curl", "-s", *fields, "-F", f'video=@video.bin;filename="{quoted}"', url], check=True)


def python(url):
    requests.post(url, data=FIELDS, files={"video": (FILE_NAME, VIDEO, "video/mp4")})


def node(url):
    import json
    script = f"""
    const form = new FormData()
    for (const [name, value] of {json.dumps(FIELDS)}) form.append(name, value)
    form.append("video", new Blob([require("fs").readFileSync("video.bin")], {{type: "video/mp4"}}), {json.dumps(FILE_NAME)})
    fetch({json.dumps(url)}, {{method: "POST", body: form}})
    """
    subprocess.run(["node", "-e", script], check=True)


with open("video.bin", "wb") as file:
    file.write(VIDEO)
record("curl", curl)
record("requests", python)
record("undici", node)
