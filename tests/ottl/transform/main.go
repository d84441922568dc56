// Runs a real Collector over cases and prints what its transform processor makes of the fixtures:
// `go run . path/to/otelcol < cases.txt > expected.txt`, in this folder. The Collector must have
// the receiver otlp, the processor transform and the exporter file.
//
// A case is a signal (m: metrics.json, t: traces.json, l: logs.json, p: profiles.json), `!` where the error mode is
// propagate and not ignore, and statements separated by `;;`. What is printed is a JSON object of
// the metrics, spans or log records that are not as they were, by their position among all;
// REFUSED where the Collector does not take the configuration, ERROR where it refuses the request.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type signal struct {
	name, file, path, statements string
	// Where the items are, from the outside in.
	lists []string
}

var signals = map[byte]signal{
	'm': {"metrics", "metrics.json", "v1/metrics", "metric_statements", []string{"resourceMetrics", "scopeMetrics", "metrics"}},
	't': {"traces", "traces.json", "v1/traces", "trace_statements", []string{"resourceSpans", "scopeSpans", "spans"}},
	'l': {"logs", "logs.json", "v1/logs", "log_statements", []string{"resourceLogs", "scopeLogs", "logRecords"}},
	'p': {"profiles", "profiles.json", "v1development/profiles", "profile_statements", []string{"resourceProfiles", "scopeProfiles", "profiles"}},
}

type m = map[string]any

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func items(of signal, text []byte) []any {
	var request any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	check(decoder.Decode(&request))
	if dictionary, ok := request.(m)["dictionary"].(m); ok {
		resolve(request, dictionary)
	}
	found := []any{request}
	for _, list := range of.lists {
		var below []any
		for _, item := range found {
			if held, ok := item.(m)[list].([]any); ok {
				below = append(below, held...)
			}
		}
		found = below
	}
	return found
}

// resolve puts what indices stand for in their place: attributes without their units, which the
// reference loses, and types of values.
func resolve(value any, dictionary m) {
	number := func(of any) int {
		n, ok := of.(json.Number)
		if !ok {
			return 0
		}
		at, err := n.Int64()
		check(err)
		return int(at)
	}
	entry := func(table string, at int) any {
		list, _ := dictionary[table].([]any)
		if at < 0 || at >= len(list) {
			return fmt.Sprintf("no entry %d", at)
		}
		return list[at]
	}
	switch value := value.(type) {
	case []any:
		for _, inner := range value {
			resolve(inner, dictionary)
		}
	case m:
		for key, inner := range value {
			if key != "dictionary" {
				resolve(inner, dictionary)
			}
		}
		if indices, ok := value["attributeIndices"].([]any); ok {
			var attributes []any
			for _, index := range indices {
				attribute := entry("attributeTable", number(index))
				if kept, ok := attribute.(m); ok {
					attribute = m{"key": entry("stringTable", number(kept["keyStrindex"])), "value": kept["value"]}
				}
				attributes = append(attributes, attribute)
			}
			delete(value, "attributeIndices")
			value["attributes"] = attributes
		}
		for _, key := range []string{"sampleType", "periodType"} {
			if of, ok := value[key].(m); ok {
				value[key] = []any{entry("stringTable", number(of["typeStrindex"])), entry("stringTable", number(of["unitStrindex"]))}
			}
		}
	}
}

func config(folder string, cases []string, skip map[int]bool) string {
	processors, exporters, pipelines := m{}, m{}, m{}
	for i, line := range cases {
		if skip[i] {
			continue
		}
		of := signals[line[0]]
		kind, statements, _ := strings.Cut(line, " ")
		mode := "ignore"
		if strings.HasSuffix(kind, "!") {
			mode = "propagate"
		}
		id := fmt.Sprintf("c%d", i)
		processors["transform/"+id] = m{"error_mode": mode, of.statements: []any{m{"statements": strings.Split(statements, ";;")}}}
		exporters["file/"+id] = m{"path": filepath.Join(folder, id+".json")}
		pipelines[of.name+"/"+id] = m{
			"receivers": []string{"otlp"}, "processors": []string{"transform/" + id}, "exporters": []string{"file/" + id},
		}
	}
	// As it was: what passes through a Collector that changes nothing.
	for letter, of := range signals {
		id := "file/" + string(letter)
		exporters[id] = m{"path": filepath.Join(folder, string(letter)+".json")}
		pipelines[of.name+"/plain"] = m{"receivers": []string{"otlp"}, "exporters": []string{id}}
	}
	whole := text(m{
		"receivers": m{"otlp": m{"protocols": m{"http": m{"endpoint": "127.0.0.1:24318"}}}}, "processors": processors, "exporters": exporters,
		"service": m{"pipelines": pipelines, "telemetry": m{"metrics": m{"level": "none"}, "logs": m{"level": "error"}}},
	})
	path := filepath.Join(folder, "config.yaml")
	check(os.WriteFile(path, []byte(whole), 0o600))
	return path
}

func main() {
	folder, err := os.MkdirTemp("", "ottl")
	check(err)
	defer os.RemoveAll(folder)
	var cases []string
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		cases = append(cases, lines.Text())
	}
	gate := "--feature-gates=ottl.functions.enableLambda,service.profilesSupport"
	refused := map[int]bool{}
	said, _ := exec.Command(os.Args[1], "validate", gate, "--config", config(folder, cases, refused)).CombinedOutput()
	for _, found := range regexp.MustCompile(`processors::transform/c(\d+)`).FindAllSubmatch(said, -1) {
		at, _ := strconv.Atoi(string(found[1]))
		refused[at] = true
	}
	collector := exec.Command(os.Args[1], gate, "--config", config(folder, cases, refused))
	collector.Stderr = os.Stderr
	check(collector.Start())
	for _, of := range signals {
		body, err := os.ReadFile(of.file)
		check(err)
		for try := 0; ; try++ {
			response, err := http.Post("http://127.0.0.1:24318/"+of.path, "application/json", bytes.NewReader(body))
			if err == nil {
				response.Body.Close()
				break
			}
			if try > 300 {
				check(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	check(collector.Process.Signal(syscall.SIGTERM))
	collector.Wait()
	plain := map[byte][]any{}
	for letter, of := range signals {
		text, err := os.ReadFile(filepath.Join(folder, string(letter)+".json"))
		check(err)
		for _, item := range items(of, text) {
			plain[letter] = append(plain[letter], normal(item))
		}
	}
	for i, line := range cases {
		output, _ := os.ReadFile(filepath.Join(folder, fmt.Sprintf("c%d.json", i)))
		switch {
		case refused[i]:
			fmt.Println("REFUSED")
		case len(output) == 0:
			fmt.Println("ERROR")
		default:
			of := signals[line[0]]
			changed := m{}
			for at, item := range items(of, output) {
				before := plain[line[0]]
				if at >= len(before) {
					changed[fmt.Sprintf("%03d", at)] = normal(item)
				} else if !reflect.DeepEqual(before[at], normal(item)) {
					changed[fmt.Sprintf("%03d", at)] = difference(before[at].(m), normal(item).(m))
				}
			}
			fmt.Println(text(changed))
		}
	}
}

func difference(before, after m) m {
	out := m{}
	for key := range before {
		if _, ok := after[key]; !ok {
			out[key] = nil
		}
	}
	for key, value := range after {
		old, was := before[key].([]any)
		now, is := value.([]any)
		switch {
		case reflect.DeepEqual(before[key], value):
		case key == "attributes" && was && is && len(now) > len(old) && reflect.DeepEqual(old, now[:len(old)]):
			out["attributes+"] = now[len(old):]
		default:
			out[key] = value
		}
	}
	return out
}

func text(value any) string {
	text, err := json.Marshal(value)
	check(err)
	return string(text)
}

// normal makes what is written in two ways the same: numbers and numbers in strings, fields that
// are empty and fields that are not there, data points in any order.
func normal(value any) any {
	switch value := value.(type) {
	case m:
		out := m{}
		for key, inner := range value {
			inner := normal(inner)
			if points, ok := inner.([]any); ok && key == "dataPoints" {
				slices.SortFunc(points, func(a, b any) int { return strings.Compare(text(a), text(b)) })
			}
			if inner != nil || key == "stringValue" {
				out[key] = inner
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		var out []any
		for _, inner := range value {
			out = append(out, normal(inner))
		}
		if out == nil {
			return nil
		}
		return out
	case json.Number:
		number, _ := value.Float64()
		return strconv.FormatFloat(number, 'g', -1, 64)
	case string:
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			return strconv.FormatFloat(number, 'g', -1, 64)
		}
		if value == "" {
			return nil
		}
		return value
	default:
		return value
	}
}
