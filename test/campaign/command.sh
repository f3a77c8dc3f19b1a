# The command that the workers of the campaign run: notes the message, prints outputs for --into, and ends as its lease says.
# $1: lines COUNT | whole | keep | argument MESSAGE
set -u
LC_ALL=C
export LC_ALL
file=$CAMPAIGN_RUNS/$CAMPAIGN_RUN,$MQ_LEASE,$MQ_ATTEMPT,$$
case $1 in
  keep) cat >"$file" ;;
  argument) printf %s "$2" >"$file" ;;
  whole)
    printf 'o/1/1/%s/' "$MQ_LEASE"
    tee "$file"
    ;;
  lines)
    all=
    for i in 1 2 3; do
      [ "$i" -gt "$2" ] || all="${all}g;s|^|o/$i/$2/$MQ_LEASE/|p;"
    done
    tee "$file" | sed -n "h;$all"
    ;;
esac
# The same rule as endOf in workers.ts.
case $MQ_LEASE in
  *[0-5]) exit 3 ;;
  *[67]) kill -KILL $$ ;;
  *[89a]) sleep 0.2 ;;
  *b) sleep 1 ;;
esac
exit 0
