module drp

go 1.26.0

require (
	github.com/ghetzel/shmtool v0.0.4
	golang.org/x/sys v0.49.0
)
