package storage

import (
	"path"
	"strings"
)

// types are the extensions whose meaning the first bytes do not show. The
// system's own tables are not asked, so that every master says the same.
var types = map[string]string{
	".txt": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".tsv": "text/tab-separated-values; charset=utf-8",
	".json": "application/json", ".jsonl": "application/x-ndjson", ".ndjson": "application/x-ndjson",
	".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml", ".xml": "application/xml",
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg",
	".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".pdf": "application/pdf",
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".mp4": "video/mp4", ".webm": "video/webm",
	".gz": "application/gzip", ".tgz": "application/gzip", ".zip": "application/zip", ".tar": "application/x-tar",
	".zst": "application/zstd", ".parquet": "application/vnd.apache.parquet", ".wasm": "application/wasm",
}

// contentType goes by the extension, then by what the first bytes look like
// (empty for a file without any).
func contentType(name, kind string) string {
	if t := types[strings.ToLower(path.Ext(name))]; t != "" {
		return t
	}
	if kind == "" {
		return "application/octet-stream"
	}
	return kind
}
