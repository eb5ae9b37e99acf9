"""What can be wrong with a site: reported in one line by `tercet secure`."""


class SiteError(Exception):
    """A request that the site cannot fulfil; the text names what was given and what is expected."""
