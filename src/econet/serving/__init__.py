"""The try-it page on this machine: networks answer on pictures that are uploaded, pasted, taken or drawn."""
