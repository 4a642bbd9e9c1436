#: rule MAINTAINER sets author (1.10)
FROM scratch
MAINTAINER "Some One" <x@example.org>
