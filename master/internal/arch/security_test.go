package arch

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const securityPage = repository + "/docs/design/security.md"

var namedDefence = regexp.MustCompile("`(?:(\\w+)\\.)?((?:Test|Fuzz)\\w+)`")

// Every row of the page of threats names a test, and every test that it names is
// in the tree, in the package that it says.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile(securityPage)
	if err != nil {
		t.Fatal(err)
	}
	tests := allTests(t)
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| surface ") {
			continue
		}
		rows++
		if len(cells) != 4 || !namedDefence.MatchString(cells[len(cells)-1]) {
			t.Errorf("a row needs surface, threat, defence and tests: %s", line)
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows", rows)
	}
	for _, m := range namedDefence.FindAllStringSubmatch(string(page), -1) {
		where, name := m[1], m[2]
		if where == "" {
			where = "http"
		}
		if !tests[where+"."+name] {
			t.Errorf("the page names %s.%s, which is not there", where, name)
		}
	}
}
