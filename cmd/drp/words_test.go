package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"only blanks", " \t\n\r ", nil},
		{"one word", "myroi.py", []string{"myroi.py"}},
		{"several", "  myroi.py\t100  120\n", []string{"myroi.py", "100", "120"}},
		{"single quotes", `'my roi.py' 'a\b'`, []string{"my roi.py", `a\b`}},
		{"double quotes", `"my roi.py" "it's"`, []string{"my roi.py", "it's"}},
		{"quotes inside a word", `--title='a b'"c d"e`, []string{"--title=a bc de"}},
		{"an empty word", `a '' "" b`, []string{"a", "", "", "b"}},
		{"escaped blank", `my\ roi.py`, []string{"my roi.py"}},
		{"escaped quotes", `\'a\" \\`, []string{`'a"`, `\`}},
		{"escaped in double quotes", `"a\"b\\c\$d"`, []string{`a"b\c$d`}},
		{"a backslash that stays", `"C:\data\new"`, []string{`C:\data\new`}},
		{"a backslash that goes", `C:\data`, []string{"C:data"}},
		{"a line that goes on", "a\\\nb \\\n c", []string{"ab", "c"}},
		{"a line that goes on in quotes", "\"a\\\nb\"", []string{"ab"}},
		{"nothing is run", "$HOME `id` $(id) a;b *.py", []string{"$HOME", "`id`", "$(id)", "a;b", "*.py"}},
		{"other letters", "скрипт.py 日本 'ä ö'", []string{"скрипт.py", "日本", "ä ö"}},
		{"bytes that are no UTF-8", "a\xff\xfe '\xe4 b'", []string{"a\xff\xfe", "\xe4 b"}},
		{"a blank that is none", "a\u00a0b", []string{"a\u00a0b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := splitWords(test.text)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q: %v", got, test.want, err)
			}
		})
	}
}

func TestSplitWordsRefuses(t *testing.T) {
	for _, text := range []string{`'`, `a "b`, `a 'b" c`, `a\`, `"a\`, `"a\"`} {
		if words, err := splitWords(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q gives %q, %v", text, words, err)
		}
	}
}

// FuzzSplitWords puts words in quotes and takes them apart again, and any text as it is.
func FuzzSplitWords(f *testing.F) {
	f.Add("a", "b c", "")
	f.Add("it's", `"\`, "\xff\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		want := []string{a, b, c}
		var quoted []string
		for _, w := range want {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		got, err := splitWords(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, want %q: %v", got, want, err)
		}
		words, err := splitWords(a)
		if err != nil && words != nil {
			t.Errorf("%q gives %q and %v", a, words, err)
		}
	})
}
