;; Adds the product of two matrices to a third one: C += A B, all float32, rows one after another.
;;
;; Four rows of A and eight columns of B at a time: eight sums stay in registers while k runs over the inner
;; dimension. M must be a multiple of 4, N a multiple of 8; the caller pads with zeros.
(module
  (memory (export "memory") 1)
  (func (export "multiply")
    (param $a i32) (param $b i32) (param $c i32)  ;; addresses in bytes
    (param $m i32) (param $n i32) (param $k i32)  ;; A is M x K, B is K x N
    (local $i i32) (local $j i32) (local $p i32)
    (local $row i32) (local $width i32) (local $pa i32) (local $pb i32) (local $pc i32)
    (local $b0 v128) (local $b1 v128) (local $s v128)
    (local $c00 v128) (local $c01 v128) (local $c10 v128) (local $c11 v128)
    (local $c20 v128) (local $c21 v128) (local $c30 v128) (local $c31 v128)
    (local.set $row (i32.shl (local.get $k) (i32.const 2)))    ;; bytes of a row of A
    (local.set $width (i32.shl (local.get $n) (i32.const 2)))  ;; bytes of a row of B and of C
    (local.set $i (i32.const 0))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $pc (i32.add (local.get $c)
          (i32.add (i32.mul (local.get $i) (local.get $width)) (i32.shl (local.get $j) (i32.const 2)))))
        (local.set $c00 (v128.load (local.get $pc)))
        (local.set $c01 (v128.load offset=16 (local.get $pc)))
        (local.set $pc (i32.add (local.get $pc) (local.get $width)))
        (local.set $c10 (v128.load (local.get $pc)))
        (local.set $c11 (v128.load offset=16 (local.get $pc)))
        (local.set $pc (i32.add (local.get $pc) (local.get $width)))
        (local.set $c20 (v128.load (local.get $pc)))
        (local.set $c21 (v128.load offset=16 (local.get $pc)))
        (local.set $pc (i32.add (local.get $pc) (local.get $width)))
        (local.set $c30 (v128.load (local.get $pc)))
        (local.set $c31 (v128.load offset=16 (local.get $pc)))
        (local.set $pa (i32.add (local.get $a) (i32.mul (local.get $i) (local.get $row))))
        (local.set $pb (i32.add (local.get $b) (i32.shl (local.get $j) (i32.const 2))))
        (local.set $p (local.get $k))
        (loop $inner
          (local.set $b0 (v128.load (local.get $pb)))
          (local.set $b1 (v128.load offset=16 (local.get $pb)))
          (local.set $s (v128.load32_splat (local.get $pa)))
          (local.set $c00 (f32x4.add (local.get $c00) (f32x4.mul (local.get $s) (local.get $b0))))
          (local.set $c01 (f32x4.add (local.get $c01) (f32x4.mul (local.get $s) (local.get $b1))))
          (local.set $s (v128.load32_splat (i32.add (local.get $pa) (local.get $row))))
          (local.set $c10 (f32x4.add (local.get $c10) (f32x4.mul (local.get $s) (local.get $b0))))
          (local.set $c11 (f32x4.add (local.get $c11) (f32x4.mul (local.get $s) (local.get $b1))))
          (local.set $s (v128.load32_splat
            (i32.add (local.get $pa) (i32.shl (local.get $row) (i32.const 1)))))
          (local.set $c20 (f32x4.add (local.get $c20) (f32x4.mul (local.get $s) (local.get $b0))))
          (local.set $c21 (f32x4.add (local.get $c21) (f32x4.mul (local.get $s) (local.get $b1))))
          (local.set $s (v128.load32_splat
            (i32.add (local.get $pa) (i32.mul (local.get $row) (i32.const 3)))))
          (local.set $c30 (f32x4.add (local.get $c30) (f32x4.mul (local.get $s) (local.get $b0))))
          (local.set $c31 (f32x4.add (local.get $c31) (f32x4.mul (local.get $s) (local.get $b1))))
          (local.set $pa (i32.add (local.get $pa) (i32.const 4)))
          (local.set $pb (i32.add (local.get $pb) (local.get $width)))
          (br_if $inner (local.tee $p (i32.sub (local.get $p) (i32.const 1)))))
        (v128.store (local.get $pc) (local.get $c30))
        (v128.store offset=16 (local.get $pc) (local.get $c31))
        (local.set $pc (i32.sub (local.get $pc) (local.get $width)))
        (v128.store (local.get $pc) (local.get $c20))
        (v128.store offset=16 (local.get $pc) (local.get $c21))
        (local.set $pc (i32.sub (local.get $pc) (local.get $width)))
        (v128.store (local.get $pc) (local.get $c10))
        (v128.store offset=16 (local.get $pc) (local.get $c11))
        (local.set $pc (i32.sub (local.get $pc) (local.get $width)))
        (v128.store (local.get $pc) (local.get $c00))
        (v128.store offset=16 (local.get $pc) (local.get $c01))
        (local.set $j (i32.add (local.get $j) (i32.const 8)))
        (br_if $columns (i32.lt_s (local.get $j) (local.get $n))))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $rows (i32.lt_s (local.get $i) (local.get $m))))))
