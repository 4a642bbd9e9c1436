#: rule a relative WORKDIR joins the previous one; each makes a layer (1.10)
FROM scratch
WORKDIR /a
WORKDIR b/c
WORKDIR ../d
