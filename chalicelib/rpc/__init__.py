"""The Alibaba RPC dialect: actions by name, parameters in query or form, signatures V1 and ACS3, answers in JSON."""
