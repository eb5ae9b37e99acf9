"""`tercet secure`: a site's keys, certificates and rights, made offline.

A site is a folder: `site.json` says who is who (public keys only), `ca/` signs, `hosts/<name>/` is
what one host needs, and `people/` holds the keys of persons. CommandHandler each host its own folder and no
more; `ca/ca.key` goes nowhere.
"""
