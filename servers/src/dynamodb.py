"""DynamoDB's API on a port of 127.0.0.1, kept in memory. One request at a time, so that each is atomic."""

import logging
import sys
import threading

from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

set_item = LimitedSizeDict.__setitem__


def replace_item(self, key, value):
    # moto 5.2.5 counts an attribute's old value against the limit of the item that gets the new one.
    self.pop(key, None)
    set_item(self, key, value)


LimitedSizeDict.__setitem__ = replace_item

application = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):
    with turn:
        return application(environ, start_response)


WSGIRequestHandler.protocol_version = "HTTP/1.1"  # keeps connections open
logging.getLogger("werkzeug").setLevel(logging.ERROR)
run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
