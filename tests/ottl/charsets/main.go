// Prints the character sets that the reference's library knows, for
// `ottl-compiler/data/charsets.txt`: a line has the names of one in small letters, and either the
// bytes that are not the character of that number with the character that they are, or the
// name of an encoding of several bytes. Names come in on standard input, one a line:
// those quoted in `golang.org/x/text/encoding/ianaindex/tables.go`.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
)

func main() {
	names := map[encoding.Encoding][]string{}
	seen := map[string]bool{}
	var order []encoding.Encoding
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		name := strings.ToLower(sc.Text())
		e, err := ianaindex.IANA.Encoding(name)
		if err != nil || e == nil || seen[name] {
			continue
		}
		seen[name] = true
		if names[e] == nil {
			order = append(order, e)
		}
		names[e] = append(names[e], name)
	}
	fmt.Println("# Character sets of the IANA registry. Made by tests/ottl/charsets.")
	fmt.Println("# Names, then the bytes that are not the character of their number, or the name of an encoding.")
	for _, e := range order {
		fmt.Print(strings.Join(names[e], " "), "\t")
		if c, ok := e.(*charmap.Charmap); ok {
			var fields []string
			for b := range 256 {
				if r := c.DecodeByte(byte(b)); int(r) != b {
					fields = append(fields, fmt.Sprintf("%02x=%04x", b, r))
				}
			}
			fmt.Println(strings.Join(fields, " "))
		} else {
			fmt.Println(e)
		}
	}
}
