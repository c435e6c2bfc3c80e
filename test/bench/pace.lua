-- wrk sends as fast as it gets answers; this makes every connection wait (milliseconds) before each request.
function delay()
  return 260
end
