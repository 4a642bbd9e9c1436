#: rule an unknown target is an error with a suggestion (1.6)
#: flags --target biuld
#: fails
FROM scratch AS build
