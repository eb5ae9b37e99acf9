"""`tercet secure`: a site's keys, certificates and rights, made offline.

A site is a folder: `site.json` says who is who (public keys only), `ca/` signs, `keys/` holds one
secret seed per user, `brokers/<name>/` is what one broker needs. Only `ca/` and `keys/` are
secret; hand each host its own parts and no more.
"""
