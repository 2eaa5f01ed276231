"""Many workers in one process, each with its own stream, for scenarios of joining.

python many_agents.py --count N --server HOST:PORT
"""

import argparse
import asyncio

from burstline.workers.joining.agent import run_agent
from burstline.workers.settings import AgentSettings


async def main() -> None:
    """Work until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--server", required=True)
    options = parser.parse_args()
    await asyncio.gather(*(run_agent(AgentSettings(options.server)) for _ in range(options.count)))


if __name__ == "__main__":
    asyncio.run(main())
