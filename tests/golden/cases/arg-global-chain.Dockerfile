#: rule global defaults see earlier globals and the build's arguments (1.5)
#: flags --build-arg A=9
ARG A=1
ARG B=$A-$C
ARG D=${B}x
FROM scratch
ARG D
LABEL d=$D
