"""A model behind HTTP: two standard protocols, metrics and a page for people."""

from tftransfer.server.app import create_app
from tftransfer.server.run import serve
from tftransfer.server.settings import ServerSettings
