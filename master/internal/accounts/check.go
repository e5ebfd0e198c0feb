package accounts

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloudai/master/internal/cluster"
)

// Bounds of what people give.
const (
	leastPassword = 8   // characters
	mostPassword  = 128 // characters
	mostEmail     = 254 // bytes, what SMTP takes (RFC 5321, 4.5.3.1.3)
)

// check gathers what is wrong with a request.
type check struct {
	fields []cluster.FieldError
}

func (c *check) add(location, message string) {
	c.fields = append(c.fields, cluster.FieldError{Location: location, Message: message})
}

func (c *check) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &cluster.InvalidError{Fields: c.fields}
}

func (c *check) name(location, name string) {
	if strings.TrimSpace(name) == "" {
		c.add(location, "is required")
		return
	}
	if wrong := cluster.CheckLine(name); wrong != "" {
		c.add(location, wrong)
	}
}

// email takes the plain form a@b and nothing of what else mail headers allow.
func (c *check) email(location, email string) {
	switch {
	case email == "":
		c.add(location, "is required")
		return
	case len(email) > mostEmail:
		c.add(location, fmt.Sprintf("must be at most %d bytes", mostEmail))
		return
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || strings.ContainsFunc(email, notInEmail) {
		c.add(location, "must be an address such as ann@example.org")
	}
}

func notInEmail(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`"()<>,;:\[]`, r)
}

func (c *check) password(location, password string) {
	switch n := utf8.RuneCountInString(password); {
	case password == "":
		c.add(location, "is required")
	case !utf8.ValidString(password):
		c.add(location, "must be valid UTF-8")
	case n < leastPassword || n > mostPassword:
		c.add(location, fmt.Sprintf("must have %d to %d characters, not %d", leastPassword, mostPassword, n))
	}
}

func (c *check) role(location string, role cluster.Role) {
	if role != cluster.RoleUser && role != cluster.RoleAdmin {
		c.add(location, "must be user or admin")
	}
}
