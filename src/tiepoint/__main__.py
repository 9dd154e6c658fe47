"""`python -m tiepoint`: the command `tiepoint` with this interpreter."""

from tiepoint.cli import main

if __name__ == "__main__":
    main()
