//go:build !linux

package correct

func onHugePages[T any](a []T) []T { return a }
