"""The products that are spoken; a call finds its product by the version it names."""

from chalicelib.rpc import mns_open, ram, sts

PRODUCTS = (mns_open.PRODUCT, ram.PRODUCT, sts.PRODUCT)
