#!/usr/bin/perl
# A TCP client that does what no HTTP client would: sends its stdin as it is and prints what comes back.
#
#   raw.pl PORT [half-close] [leave] [piece=BYTES,SECONDS] [stall=SECONDS] [timeout=SECONDS]
#     half-close  shuts down its sending side after the last byte
#     leave       closes after the last byte, and stall seconds, without reading
#     piece       sends that many bytes at a time, and pauses between them
#     slow-read   reads 1 KB every 10 ms
#   raw.pl PORT garbage COUNT SEED
#     COUNT connections, each with a broken or random request; prints how many were answered
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

$SIG{PIPE} = 'IGNORE';
my ($port, @words) = @ARGV;
my %option = map { /^([\w-]+)(?:=(.*))?$/ ? ($1 => $2 // 1) : () } @words;

sub connect_to {
  return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) || die "connect: $!\n";
}

sub read_all {
  my ($socket, $seconds) = @_;
  my ($all, $end) = ('', time + $seconds);
  while ((my $left = $end - time) > 0) {
    my $in = '';
    vec($in, fileno($socket), 1) = 1;
    last unless select($in, undef, undef, $left);
    my $n = sysread($socket, my $bytes, $option{'slow-read'} ? 1024 : 65536);
    last unless $n;
    $all .= $bytes;
    sleep 0.01 if $option{'slow-read'};
  }
  return $all;
}

sub random_bytes { return join '', map { chr int rand 256 } 1 .. $_[0] }

my @breaks = (
  sub { random_bytes(int rand 400) },
  sub { "GET " . random_bytes(1 + int rand 60) . " HTTP/1.1\r\nHost: a\r\n\r\n" },
  sub { "GET / HTTP/" . random_bytes(3) . "\r\n\r\n" },
  sub { random_bytes(4) . " / HTTP/1.1\r\nHost: a\r\n\r\n" },
  sub { "GET / HTTP/1.1\r\n" . random_bytes(40) . ": " . random_bytes(40) . "\r\n\r\n" },
  sub { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " . ('-1', '99999999999999999999', 'abc', '5,5', '0x5')[rand 5] . "\r\n\r\nhello" },
  sub { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" . (qw(zz -1 fffffffffffffffff5))[rand 3] . "\r\nhello\r\n" },
  sub { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n" },
  sub { "\r\n" x int(rand 50) . "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
  sub { "GET /" . ("%" . random_bytes(2)) x int(1 + rand 20) . " HTTP/1.1\r\nHost: a\r\n\r\n" },
  sub { "GET / HTTP/1.1\nHost: a\nCookie: " . random_bytes(80) . "\n\n" },
  sub { "GET /?" . random_bytes(80) . " HTTP/1.1\r\nHost: a\r\n\r\n" },
  sub { my $good = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"; substr $good, 0, int rand length $good },
  sub { my $good = "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"; substr($good, rand length $good, 1) = random_bytes(1); $good },
);

if ($words[0] && $words[0] eq 'garbage') {
  my (undef, $count, $seed) = @words;
  srand $seed;
  my ($answered, $silent) = (0, 0);
  for my $i (1 .. $count) {
    my $socket = connect_to();
    syswrite $socket, $breaks[rand @breaks]->();
    shutdown $socket, 1 if rand() < 0.7;
    # One in eight waits for the answer; the others leave at once, which is rude too.
    next if rand() > 0.125;
    shutdown $socket, 1;
    length read_all($socket, 2) ? $answered++ : $silent++;
  }
  print "$answered answered, $silent closed without a word\n";
  exit;
}

my $socket = connect_to();
my $bytes = do { local $/; <STDIN> };
my ($size, $pause) = split /,/, $option{piece} // (length($bytes) || 1) . ',0';
for (my $at = 0; $at < length $bytes; $at += $size) {
  syswrite $socket, substr($bytes, $at, $size) or last;
  sleep $pause if $pause;
}
sleep $option{stall} if $option{stall};
exit if $option{leave};
shutdown $socket, 1 if $option{'half-close'};
print read_all($socket, $option{timeout} // 5);
