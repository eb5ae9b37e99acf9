"""Write the JSON Schemas and the AsyncAPI document: `python -m tercet.schemas`."""

from tercet.schemas import asyncapi, catalogue

if __name__ == "__main__":
    catalogue.write()
    asyncapi.write()
