"""`python -m burstline.client` is `burstline`."""

from burstline.client.cli import main

if __name__ == "__main__":
    main()
