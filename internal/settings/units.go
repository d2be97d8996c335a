package settings

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Units are what may stand behind a number, each with the power of ten that it is of the unit without which the number is read, as
// {"m": 0, "mm": -3}.
type Units map[string]int

// Read reads a finite number, alone or with a unit, as 95mm or 95 mm. The point is moved in the text: 1.005 times 1000 would not be 1005.
func (u Units) Read(text string) (value float64, ok bool) {
	bare := strings.TrimSpace(text)
	longest := ""
	for unit := range u {
		if strings.HasSuffix(bare, unit) && len(unit) > len(longest) {
			longest = unit
		}
	}
	if longest == "" {
		return number(text)
	}
	mantissa, power, given := strings.Cut(strings.ToLower(strings.TrimSpace(strings.TrimSuffix(bare, longest))), "e")
	n, err := 0, error(nil)
	if given {
		n, err = strconv.Atoi(power)
	}
	if err != nil {
		return 0, false
	}
	return number(mantissa + "e" + strconv.Itoa(n+u[longest]))
}

// String is what is added to what a value is not; nothing without units.
func (u Units) String() string {
	if len(u) == 0 {
		return ""
	}
	return ", alone or with " + strings.Join(slices.Sorted(maps.Keys(u)), " or ")
}
