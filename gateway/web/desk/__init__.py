"""The approval desk: one page on this machine, for one approver."""

from gateway.web.desk.app import create_app
from gateway.web.desk.carried import RequestDesk
from gateway.web.desk.door import Door
from gateway.web.desk.here import WorkspaceDesk

__all__ = ["Door", "RequestDesk", "WorkspaceDesk", "create_app"]
