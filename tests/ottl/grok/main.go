// Prints the patterns that the reference's grok library comes with, for
// `ottl-compiler/data/grok.txt`: a name, a tab and the pattern a line.
package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/elastic/go-grok/patterns"
)

func main() {
	all := map[string]string{}
	// Later ones replace earlier ones, as the complete library has them.
	for _, set := range []map[string]string{
		patterns.Default, patterns.AWS, patterns.Bind9, patterns.Bro, patterns.Exim,
		patterns.HAProxy, patterns.Httpd, patterns.Firewalls, patterns.Java, patterns.Junos,
		patterns.Maven, patterns.MCollective, patterns.MongoDB, patterns.PostgreSQL,
		patterns.Rails, patterns.Redis, patterns.Ruby, patterns.Squid, patterns.Syslog,
	} {
		maps.Copy(all, set)
	}
	fmt.Println("# Grok patterns of github.com/elastic/go-grok (Copyright Elasticsearch BV, Apache License 2.0),")
	fmt.Println("# after those of Logstash. Made by tests/ottl/grok.")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.ContainsAny(name+all[name], "\t\r\n") {
			panic(name)
		}
		fmt.Println(name + "\t" + all[name])
	}
}
