"""The Azure speech adapter: the Speech service behind the ports of the speech-pool.

`provider.AzureProvider` is the way in. Only `sdk` imports the Speech SDK and only `credential`
azure-identity; the other modules know the signals that `sdk` gives. Leases, pools and gRPC are left
to the rest of the service.
"""
