//go:build cudastub

package main

import (
	"encoding/json"
	"fmt"
	"os"

	"drp/hit/cuda"
	"drp/hit/cuda/stub"
)

// newDriver gives one that needs no GPU, and fails as a variable of the environment says: for tests of whole programs.
var newDriver = func() (cuda.Driver, error) {
	d := &stub.Driver{}
	if text := os.Getenv("DRP_TEST_GPU"); text != "" {
		if err := json.Unmarshal([]byte(text), &d.Faults); err != nil {
			return nil, fmt.Errorf("DRP_TEST_GPU: %w", err)
		}
	}
	if os.Args[1] == "gpu-probe" { // what goes wrong later does so in the run
		d.Faults = stub.Faults{Absent: d.Faults.Absent}
	}
	return d, nil
}
