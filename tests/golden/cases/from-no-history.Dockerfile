#: rule layers without history get fillers, so that entries and layers match (2.1)
FROM nohistory
WORKDIR /w
