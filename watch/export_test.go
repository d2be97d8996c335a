package watch

import "net/http"

// Refusal is with which code a request is refused by a server at an address, 0 if it is not.
func Refusal(token, control, address string, r *http.Request) int {
	code, _ := newGuard(token, control, address, &thrift{}, nil).judge(r)
	return code
}
