"""A TCP proxy between the agent and a broker, to do to a link what networks do to it. It knows nothing of TLS or MQTT."""
import asyncio
import random
import socket
import struct
import threading

NO_LINGER = struct.pack("ii", 1, 0)  # close() then sends RST
QUEUED = 64  # chunks that are under way in one direction: the bandwidth-delay product has a bound
CHUNK = 65536


class Direction:
    """One way through the proxy, with what is done to bytes on it; to be changed on the proxy's thread."""

    def __init__(self):
        self.delay = 0.0    # seconds
        self.jitter = 0.0   # up to so many seconds more, in order all the same
        self.rate = 0       # bytes per second, 0 for no limit
        self.flows = None   # an asyncio.Event: cleared, bytes are taken in and stay where they are

    async def carry(self, reader, writer):
        under_way = asyncio.Queue(QUEUED)
        delivery = asyncio.ensure_future(self._deliver(under_way, writer))
        try:
            while data := await reader.read(CHUNK):
                await under_way.put((self._due(), data))
                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)
            await under_way.put((self._due(), b""))
            await delivery
        finally:
            delivery.cancel()

    def _due(self):
        return asyncio.get_running_loop().time() + self.delay + random.uniform(0, self.jitter)

    async def _deliver(self, under_way, writer):
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self.flows.wait()
            if not data:
                return
            writer.write(data)
            await writer.drain()


class Connection:
    def __init__(self, client, server):
        self.writers = [client, server]
        self.is_cut = False

    def cut(self, reset):
        """RST, or FIN, to both ends; what is under way is lost."""
        self.is_cut = True
        for writer in self.writers:
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                writer.transport.abort()
            else:
                writer.close()


class TcpProxy:
    """Listens on a port of its own from construction to stop(); each method takes effect before it returns."""

    def __init__(self, target_port, port=0):
        self._target_port = target_port
        self._connections = set()
        self._refuses = False
        self._cuts_left = 0
        self._lifetime = None
        self.accepted = 0
        self.cuts = 0
        self.up = Direction()    # from the agent to the broker
        self.down = Direction()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._run(self._listen(port))

    def stop(self):
        if self._thread.is_alive():
            self._run(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def cut(self, reset=True):
        """Ends every connection; returns how many there were."""
        return self._run(self._cut(list(self._connections), reset))

    def cut_at_random(self, times, lifetime):
        """Ends so many connections, those there are and those to come, each lifetime() seconds after its start (for those
        there are: from now); with RST or FIN by chance."""
        self._run(self._cut_at_random(times, lifetime))

    def refuse(self, refuses=True):
        """New connections are accepted and reset at once; those there are stay."""
        self._refuses = refuses

    def stall(self, up=True, down=True):
        """Accepts connections and bytes, and forwards nothing: half-open."""
        self._run(self._set_flow(up, down))

    def flow(self):
        self._run(self._set_flow(False, False))

    def delay(self, seconds, jitter=0.0):
        """Each direction takes so long."""
        for direction in (self.up, self.down):
            direction.delay, direction.jitter = seconds, jitter

    def limit(self, bytes_per_second):
        for direction in (self.up, self.down):
            direction.rate = bytes_per_second

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _listen(self, port):
        for direction in (self.up, self.down):
            direction.flows = asyncio.Event()
            direction.flows.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[1]

    async def _end(self):
        self._server.close()
        await self._cut(list(self._connections), True)
        ours = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)

    async def _set_flow(self, up_stalls, down_stalls):
        for direction, stalls in ((self.up, up_stalls), (self.down, down_stalls)):
            if stalls:
                direction.flows.clear()
            else:
                direction.flows.set()

    async def _cut(self, connections, reset):
        for connection in connections:
            connection.cut(reset)
            self._connections.discard(connection)
        return len(connections)

    async def _cut_at_random(self, times, lifetime):
        self._cuts_left, self._lifetime = times, lifetime
        for connection in self._connections:
            self._condemn(connection)

    def _condemn(self, connection):
        if self._cuts_left > 0:
            self._cuts_left -= 1
            self._loop.call_later(self._lifetime(), self._execute, connection)

    def _execute(self, connection):
        if connection in self._connections:
            self._connections.discard(connection)
            connection.cut(random.random() < 0.5)
            self.cuts += 1
        else:
            self._cuts_left += 1  # it had ended before

    async def _open(self, _client_reader, _client):
        return await asyncio.open_connection("127.0.0.1", self._target_port)

    async def _serve(self, client_reader, client):
        self.accepted += 1
        if self._refuses:
            return Connection(client, client).cut(True)
        try:
            server_reader, server = await self._open(client_reader, client)
        except OSError:
            return Connection(client, client).cut(True)
        if not server:
            return client.close()
        connection = Connection(client, server)
        self._connections.add(connection)
        self._condemn(connection)
        ways = [asyncio.ensure_future(self.up.carry(client_reader, server)),
                asyncio.ensure_future(self.down.carry(server_reader, client))]
        try:
            # As soon as one end closes, both are: MQTT has no use for a connection that is closed by half.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._connections.discard(connection)
            if not connection.is_cut:
                connection.cut(False)
