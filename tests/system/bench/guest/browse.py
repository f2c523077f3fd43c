"""Look at the page as a browser does, and tell what it shows as JSON. Run by the package's Python.

browse.py URL SECONDS
"""

import asyncio
import json
import sys

import aiohttp

MESSAGES = 5  # of the live socket, the greeting first


async def look(url: str, seconds: float) -> dict[str, object]:
    """Return the first page's size in bytes, and the JSON of the first messages."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as client:
        async with client.get(url) as answer:
            index = await answer.read()
        async with client.ws_connect(f"{url}live", origin=url.rstrip("/")) as socket:
            messages = [await socket.receive_bytes(timeout=seconds) for _ in range(MESSAGES)]
    heads = [json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")]) for data in messages]
    return {"bytes": len(index), "heads": heads}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(look(sys.argv[1], float(sys.argv[2])))))
