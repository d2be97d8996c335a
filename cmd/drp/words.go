package main

import (
	"errors"
	"strings"
)

// splitWords splits a string into words as a shell would, with quotes and backslashes, but without ever running one.
// Within double quotes a backslash is one unless it stands before what is special there. The bytes of words are left as
// they are, also where they are no UTF-8.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'':
			if i++; i == len(text) {
				return nil, noPartner(text)
			}
			inWord = inWord || text[i] != '\n'
			word.WriteString(escaped(text[i], quote))
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case strings.IndexByte(" \t\r\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, noPartner(text)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// escaped is what a backslash makes of the character behind it. At the end of a line both vanish.
func escaped(c, quote byte) string {
	switch {
	case c == '\n':
		return ""
	case quote == '"' && strings.IndexByte("\"\\$`", c) < 0:
		return "\\" + string([]byte{c})
	}
	return string([]byte{c})
}

func noPartner(text string) error {
	return errors.New("a quote or backslash has no partner: " + text)
}
