"""A neighbour of the host in its private network: what reaches the host comes from another address.

    python -m tests.molecule.neighbour --state DIR query DSN SQL…  statements, by the loader's driver
    python -m tests.molecule.neighbour --state DIR port HOST PORT  whether anything accepts there

`query` prints a JSON list with one object for each statement, `{"rows": […]}` or `{"error": "…"}`,
each statement committed by itself; exits 1 with the server's words when it may not connect.
`port` prints `open` or `closed`. A password comes by PGPASSWORD, which libpq reads itself.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Sequence
from typing import Any

import psycopg2

from local_aws.namespace import Namespace
from local_aws.paths import State


def query(dsn: str, statements: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows or the error of each statement; raise psycopg2.Error for a refusal."""
    connection = psycopg2.connect(dsn, connect_timeout=10)
    answers: list[dict[str, Any]] = []
    try:
        for statement in statements:
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute(statement)
                    rows = [list(row) for row in cursor.fetchall()] if cursor.description else []
                answers.append({"rows": rows})
            except psycopg2.Error as error:
                answers.append({"error": error.diag.message_primary or str(error)})
    finally:
        connection.close()
    return answers


def port(host: str, number: int) -> str:
    """Return `open` or `closed`; a port that is dropped instead of refused is closed too."""
    try:
        with socket.create_connection((host, number), timeout=5):
            return "open"
    except OSError:
        return "closed"


def main() -> int:
    """Ask from inside the namespace; return 0, or 1 for a refusal."""
    parser = argparse.ArgumentParser(prog="python -m tests.molecule.neighbour")
    parser.add_argument("--state", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("query")
    asking.add_argument("dsn")
    asking.add_argument("statement", nargs="+")
    knocking = commands.add_parser("port")
    knocking.add_argument("host")
    knocking.add_argument("number", type=int)
    options = parser.parse_args()
    namespace = Namespace(State.at(options.state))
    try:
        # The connection stays in the network that it was made in.
        if options.command == "query":
            answers = namespace.in_network(lambda: query(options.dsn, options.statement))
            print(json.dumps(answers, default=str))
        else:
            print(namespace.in_network(lambda: port(options.host, options.number)))
    except psycopg2.Error as error:
        print(str(error).strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
