"""`python -m cli` is `eltax-hub`."""

from cli.main import main

if __name__ == "__main__":
    main()
