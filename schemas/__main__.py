"""Write the JSON Schemas: `python -m schemas`."""

from schemas.catalogue import write

if __name__ == "__main__":
    write()
