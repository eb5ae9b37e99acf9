"""A site: the users of a secured deployment with their keys, certificates and rights.

`tercet secure` makes it offline. It is a folder: `site.json` lists the users with their public
keys, `ca/` is the certificate authority, `hosts/<name>/` is what one host needs, and `people/`
holds the keys of persons. Copy to each host its own folder only; `ca/ca.key` stays offline.
"""
