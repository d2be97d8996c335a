package page_test

import (
	"os"
	"testing"

	"drp/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }
