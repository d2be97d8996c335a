package teb_test

import (
	"strings"
	"testing"

	"drp/teb"
)

func mustSchema(t testing.TB, name string, fields ...teb.Field) *teb.Schema {
	t.Helper()
	s, err := teb.NewSchema(name, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaLayout(t *testing.T) {
	s := mustSchema(t, "epix_0", teb.Field{Name: "hit", Type: teb.Bool}, teb.Field{Name: "npeaks", Type: teb.U16},
		teb.Field{Name: "energy", Type: teb.F64}, teb.Field{Name: "rings", Type: teb.F32, Len: 3})
	want := "drp-contribution 1\ncontributor epix_0\nhit bool\nnpeaks u16\nenergy f64\nrings f32[3]\n"
	if s.Text() != want {
		t.Errorf("the text is %q, want %q", s.Text(), want)
	}
	for name, offset := range map[string]int{"hit": 24, "npeaks": 26, "energy": 32, "rings": 40} {
		if got := s.Field(name).Offset(); got != offset {
			t.Errorf("%s lies at %d, want %d", name, got, offset)
		}
	}
	if s.RowBytes() != 56 || s.Field("nothing") != nil {
		t.Errorf("a row has %d bytes, want 56", s.RowBytes())
	}
	again, err := teb.ParseSchema(s.Text())
	if err != nil || again.Hash() != s.Hash() || again.RowBytes() != s.RowBytes() {
		t.Errorf("read back: %+v, %v", again, err)
	}
	other := mustSchema(t, "epix_0", teb.Field{Name: "hit", Type: teb.U8})
	if other.Hash() == s.Hash() {
		t.Error("two schemas have one hash")
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	many := make([]teb.Field, teb.MaxFields+1)
	for i := range many {
		many[i] = teb.Field{Name: "f" + strings.Repeat("x", i%60) + string(rune('a'+i%26)), Type: teb.U8}
	}
	for _, test := range []struct {
		name, contributor string
		fields            []teb.Field
		want              string
	}{
		{"no name", "", nil, "1 to 63 bytes"},
		{"a name that is no name", "epix-0", nil, `begins with no digit: "epix-0"`},
		{"a digit first", "0epix", nil, "begins with no digit"},
		{"a long name", strings.Repeat("a", 64), nil, "1 to 63 bytes"},
		{"twice", "a", []teb.Field{{Name: "x"}, {Name: "x"}}, "field x: the name is taken"},
		{"a name of ours", "a", []teb.Field{{Name: "damage"}}, "field damage: the name is taken"},
		{"no type", "a", []teb.Field{{Name: "x", Type: 99}}, "Type(99) is not known"},
		{"a negative length", "a", []teb.Field{{Name: "x", Len: -1}}, "-1 values"},
		{"too large", "a", []teb.Field{{Name: "x", Type: teb.F64, Len: 510}}, "at most 4096 are possible"},
		{"too many", "a", many, "65 fields"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := teb.NewSchema(test.contributor, test.fields...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestMismatchShowsBoth(t *testing.T) {
	a, b := mustSchema(t, "epix", teb.Field{Name: "npeaks", Type: teb.U16}), mustSchema(t, "epix", teb.Field{Name: "sum", Type: teb.F32})
	got := (&teb.MismatchError{Want: a, Got: b.Text()}).Error()
	for _, want := range []string{"contributor epix", "npeaks u16", "sum f32"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add("drp-contribution 1\ncontributor epix\nnpeaks u16\nrings f32[3]\n")
	f.Add("drp-contribution 1\ncontributor a\n")
	f.Add("drp-contribution 1\ncontributor a\nx u16[99999999999]\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := teb.ParseSchema(text)
		if err != nil {
			return
		}
		if s.Text() != text {
			t.Errorf("%q is read as %q", text, s.Text())
		}
		if s.RowBytes() > teb.MaxRowBytes+8 || s.RowBytes()%8 != 0 {
			t.Errorf("a row of %d bytes", s.RowBytes())
		}
	})
}
