"""Errors of the live server that a request may meet."""


class RequestError(ValueError):
    """A request asks for what there is not; its text is the answer.

    Attributes:
      status: of the HTTP answer, 400 to 499.
    """

    def __init__(self, message: str, status: int = 400):
        super().__init__(message)
        self.status = status
