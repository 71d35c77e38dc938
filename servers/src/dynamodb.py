"""DynamoDB's API on a port of 127.0.0.1, kept in memory.

The tables are moto's, called directly: its web application takes most of the time of a request and answers a few
hundred a second. Requests are answered one after the other, so each is atomic.
"""

import asyncio
import base64
import bisect
import functools
import json
import sys

from moto.core.exceptions import ServiceException
from moto.core.responses import XFormedAttributePicker
from moto.core.serialize import get_serializer_class
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.dynamodb.comparisons import AttributeValue, ConditionExpressionParser
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

ACCOUNT = "123456789012"
TARGET = "DynamoDB_20120810."
MOST_OF_AN_ITEM = 400 * 1024
ITEMS = {"get_item", "put_item", "update_item", "delete_item"}


def size(value):
    if isinstance(value, DynamoType):
        if value.is_binary() and isinstance(value.value, str):
            return len(value.value) // 4 * 3 - value.value[-2:].count("=")
        return value.size()
    return len(str(value).encode())


def set_attribute(item, name, value):
    # moto 5.2.5 counts the base64 of binary values, and the value that is replaced as well.
    others = sum(size(other) + size(of) for other, of in item.items() if other != name)
    if others + size(name) + size(value) > MOST_OF_AN_ITEM:
        raise ItemSizeTooLarge
    dict.__setitem__(item, name, value)


LimitedSizeDict.__setitem__ = set_attribute

# Whoever uses what it made works on a copy.
UpdateExpressionParser.make = functools.cache(UpdateExpressionParser.make)
parse_condition = ConditionExpressionParser.parse
conditions = {}


def parse(parser):
    """Parses each condition once, with the names of its values in their places, and then puts the values there."""
    expression = parser.condition_expression
    values = parser.expression_attribute_values or {}
    kinds = tuple((name, *value) for name, value in values.items())
    key = (expression, tuple((parser.expression_attribute_names or {}).items()), kinds)
    if key not in conditions:
        named = {name: {kind: name} for name, kind in kinds}
        template = ConditionExpressionParser(expression, parser.expression_attribute_names, named)
        condition = parse_condition(template)
        conditions[key] = condition, list(places(condition)), template
    condition, filled, template = conditions[key]
    for place, name in filled:
        place.value = values[name][place.type]
    parser.expr_attr_names_found.extend(template.expr_attr_names_found)
    parser.expr_attr_values_found.extend(template.expr_attr_values_found)
    return condition


def places(node):
    if isinstance(node, AttributeValue):
        yield node, node.value
    elif isinstance(node, (list, tuple)):
        for part in node:
            yield from places(part)
    elif hasattr(node, "__dict__"):
        yield from places(list(vars(node).values()))


ConditionExpressionParser.parse = parse
scan_table = Table.scan
all_items = Table.all_items


def scan(table, filters, limit, exclusive_start_key, *more, **named):
    """Begins where the last page ended, instead of comparing with it all that came before."""
    table.after = exclusive_start_key
    try:
        return scan_table(table, filters, limit, exclusive_start_key, *more, **named)
    finally:
        table.after = None


def items_in_order(table):
    if table.range_key_attr:
        return all_items(table)
    items = sorted(table.items.values(), key=lambda item: item.hash_key.value)
    after = getattr(table, "after", None)
    if after is None:
        return items
    start = after[table.hash_key_attr]["S"]
    return items[bisect.bisect_right(items, start, key=lambda item: item.hash_key.value) :]


Table.scan = scan
Table.all_items = items_in_order


def encoded(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value)} in an item")


@functools.cache
def serializer(action):
    model = get_service_model("dynamodb")
    kind = get_serializer_class(model.service_name, "json")
    return kind(
        operation_model=model.operation_model(action),
        value_picker=XFormedAttributePicker(response_transformers=None),
    )


def answer(headers, body):
    """The status and the body of the answer to a request."""
    target = headers.get("x-amz-target", "")
    if not target.startswith(TARGET):
        # Somebody asks whether the server is there.
        return 200, "{}"
    action = target[len(TARGET) :]
    method = camelcase_to_underscores(action)
    handler = DynamoHandler()
    handler.body = handler.params = json.loads(body)
    handler.uri_match = {}
    handler.current_account = ACCOUNT
    handler.headers = headers
    handler.region = headers["authorization"].split("/")[2]
    handler.partition = "aws"
    try:
        result = getattr(handler, method)().result
    except ServiceException as error:
        result = error
    except HTTPException as error:
        return error.code, error.description
    if method in ITEMS and isinstance(result, dict):
        return 200, json.dumps(result, default=encoded)
    response = serializer(action).serialize(result)
    return response["status_code"], response["body"]


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as AWS's clients speak it: bodies of a known length, and connections that stay open."""

    def connection_made(self, transport):
        self.transport = transport
        self.received = bytearray()
        self.needed = 0

    def data_received(self, data):
        self.received += data
        while len(self.received) >= self.needed and self.answer_one():
            pass

    def answer_one(self):
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = self.received[:end].decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines[1:])
        headers = {name.lower(): value.strip() for name, value in pairs}
        self.needed = end + 4 + int(headers.get("content-length", 0))
        if len(self.received) < self.needed:
            return False
        body = bytes(self.received[end + 4 : self.needed])
        del self.received[: self.needed]
        self.needed = 0
        try:
            status, text = answer(headers, body)
        except Exception as error:  # the server's fault
            status, text = 500, json.dumps({"__type": "InternalServerError", "message": repr(error)})
        content = text.encode()
        head = (
            f"HTTP/1.1 {status} -\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        if headers.get("connection", "").lower() == "close":
            self.transport.close()
            return False
        return True


async def serve(port):
    loop = asyncio.get_running_loop()
    # A thousand clients may come at the same time.
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1])))
