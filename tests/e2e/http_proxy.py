"""An HTTP proxy that knows CONNECT and Basic authentication, and leads every name to one port of this machine."""
import asyncio
import base64

from tcp_proxy import TcpProxy


class HttpProxy(TcpProxy):
    """`credentials`: what it lets in, "user:password"; None lets anyone in. `requests` are the first lines it was sent."""

    def __init__(self, target_port, credentials=None):
        self.credentials = credentials
        self.requests = []
        super().__init__(target_port)

    async def _open(self, client_reader, client):
        try:
            first, *headers = (await client_reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        except asyncio.IncompleteReadError:
            return None, None
        self.requests.append(first)
        if not self._lets_in(headers):
            client.write(b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\n'
                         b"Content-Length: 0\r\n\r\n")
        elif not first.startswith("CONNECT "):
            client.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
        else:
            way = await super()._open(client_reader, client)
            client.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return way
        await client.drain()
        return None, None

    def _lets_in(self, headers):
        if self.credentials is None:
            return True
        return "Proxy-Authorization: Basic " + base64.b64encode(self.credentials.encode()).decode() in headers
