def from_entries:
  reduce .[] as $x ({};
    . + { (($x | if .key == null then .k // .name // .Name // .K // .Key else .key end)
           | if type == "string" then . else tojson end):
          ($x | if has("value") then .value elif has("v") then .v else .Value end) });
def with_entries(f): to_entries | map(f) | from_entries;
def ltrimstr($x): if type == "string" and ($x | type) == "string" and startswith($x)
  then .[($x | length):] else . end;
def rtrimstr($x): if type == "string" and ($x | type) == "string" and ($x | length) > 0
  and endswith($x) then .[:length - ($x | length)] else . end;
def toarray: if type == "array" then . else [.] end;
def ascii: [.] | implode;
def csv_cell: if . == null then "" elif type == "string" then "\"" + gsub("\""; "\"\"") + "\""
  elif type == "array" or type == "object" then error("not valid in a csv row") else tojson end;
def @csv: map(csv_cell) | join(",");
def tsv_cell: if . == null then "" elif type == "string" then
  gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
  elif type == "array" or type == "object" then error("not valid in a tsv row") else tojson end;
def @tsv: map(tsv_cell) | join("\t");
